"""The words for what an agent repairs by itself."""

DRIFT = "somebody else changed it; the agent repairs it within a cycle: does the agent run?"
