"""Training jobs, thin over TRL, PEFT and accelerate: sft, prm, step_dpo, joint, iterate."""
