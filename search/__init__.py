"""Pure search over trees of reasoning steps: algorithms that ask and are told, and the driver that serves them.

Nothing here knows a model, an engine or a task; it imports only the standard library.
"""
