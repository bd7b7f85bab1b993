#!/usr/bin/env python3
"""Every mutant of the paging judges is killed, or listed with its reason.

(`tools/mutate priv deliver control judges` does the same for segments, gates, deliveries, control registers and
whatever else has a judge; it takes minutes, and runs with tools/check --nightly.)
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

sys.exit(subprocess.run([ROOT / "tools" / "mutate", "mmu"], check=False).returncode)
