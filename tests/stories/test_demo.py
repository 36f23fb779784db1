"""`make run` tells its story, and every outcome is as written."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STORY = [json.loads(line) for line in (ROOT / "worker/cli/story.jsonl").read_text("utf-8").splitlines()]


async def test_the_demo_tells_its_story_on_servers_of_its_own_and_every_outcome_is_as_written(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
    command = [sys.executable, "-m", "worker", "dev", "--demo", "--exit", "--directory", str(tmp_path / "billing")]

    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "not as written" not in done.stderr
    told = re.search(r"^outcomes: (.*)$", done.stdout, re.MULTILINE)
    assert told
    assert sum(int(count) for count in re.findall(r"\d+", told[1])) == len(STORY)
    assert all(line["say"] in " ".join(done.stdout.split()) for line in STORY if "say" in line)
