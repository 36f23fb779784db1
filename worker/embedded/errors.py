from pathlib import Path

LOG_LINES_SHOWN = 15


class EmbeddedError(Exception):
    """Why an embedded server is not there, the end of its log, and what to do about it."""

    def __init__(self, cause: str, *, remedy: str, log: Path | None = None) -> None:
        self.cause = cause
        self.remedy = remedy
        self.log = _ending(log) if log else ""
        shown = f"\n{self.log}" if self.log else ""
        super().__init__(f"{cause}.{shown}\n{remedy}.")


def _ending(path: Path) -> str:
    if not path.exists():
        return ""
    said = path.read_text(errors="replace").splitlines()
    lines = [line for line in said if not line.startswith("\tat ")][-LOG_LINES_SHOWN:]  # without Java's stack frames
    return "\n".join([f"The end of {path}:", *(f"  {line[:400]}" for line in lines)]) if lines else ""
