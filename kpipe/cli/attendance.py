"""Detect whether a person is at the terminal: without one, kpipe shows no bar and no colour, and does not prompt.

References
----------
The variables by which coding agents are known, from other tools that look for them: aws-cdk
(https://github.com/aws/aws-cdk-cli/pull/1855, with the source of each), Vercel's detect-agent
(https://github.com/vercel/vercel/tree/main/packages/detect-agent), Databricks' CLI
(https://github.com/databricks/cli/pull/4287) and huggingface_hub (``utils/_detect_agent.py``).
"""

from __future__ import annotations

import os
import sys

__all__ = ["AGENT_VARIABLES", "calling_program", "non_interactive_reason"]

# Not among them: CURSOR_TRACE_ID and REPL_ID, which people's own terminals have too, and CODEX_HOME, a setting.
AGENT_VARIABLES = (
    "AI_AGENT",  # proposed by Vercel for all agents
    "AGENT",  # Amp, Crush, Goose, opencode
    "CLAUDECODE",
    "CLAUDE_CODE",
    "CODEX_CI",
    "CODEX_SANDBOX",
    "CODEX_THREAD_ID",
    "COPILOT_AGENT_SESSION_ID",
    "COPILOT_CLI",
    "CURSOR_AGENT",
    "GEMINI_CLI",
    "OPENCODE",
    "AUGMENT_AGENT",
    "CLINE_ACTIVE",
    "GOOSE_TERMINAL",
    "QWEN_CODE",
)
_NO = ("", "0", "false", "no")


def calling_program() -> str:
    """The environment variable by which a coding agent or CI says that it calls kpipe; empty if there is none.

    Returns
    -------
    str
    """
    return next((name for name in ("CI", *AGENT_VARIABLES) if os.environ.get(name, "").lower() not in _NO), "")


def non_interactive_reason() -> str:
    """Why nobody can answer a question; empty if a person can.

    Returns
    -------
    str
        A clause.
    """
    if name := calling_program():
        return f"the environment variable {name} indicates that a program calls kpipe"
    return "" if sys.stdin is not None and sys.stdin.isatty() else "standard input is not a terminal"
