#!/usr/bin/env python3
"""Every mutant of the paging judges is killed, or listed with its reason.

(`tools/mutate priv` does the same for segments, gates and privilege; it takes minutes.)
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

sys.exit(subprocess.run([ROOT / "tools" / "mutate", "mmu"], check=False).returncode)
