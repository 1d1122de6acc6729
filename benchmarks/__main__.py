"""usage: python -m benchmarks [section ...] [--quick] [--report-only]"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from benchmarks import report
from benchmarks.plan import RESULTS, ROOT, SECTIONS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes, short times, and no report: does it run?")
    parser.add_argument("--report-only", action="store_true", help="write the report from what was measured before")
    chosen = parser.parse_args()
    unknown = set(chosen.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "JAX_PLATFORMS": "cpu",
        "LOSSARY_CACHE": str(RESULTS / "kernels"),
    }
    for section in () if chosen.report_only else chosen.sections or SECTIONS:
        print(f"── {SECTIONS[section]} ──", flush=True)
        command = [sys.executable, "-m", "benchmarks.section", section, *(["--quick"] if chosen.quick else [])]
        subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)
    if not chosen.quick:
        print(f"written: {report.write().relative_to(ROOT)}")


if __name__ == "__main__":
    main()
