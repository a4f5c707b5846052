"""Several ways to put a question to a policy: prompt sets, and the command that builds them from training questions."""

from reasoning.prompts.sets import PLAIN, Prompt, PromptSet, read_prompts, write_prompts

__all__ = ["PLAIN", "Prompt", "PromptSet", "read_prompts", "write_prompts"]
