import sys
from pathlib import Path

# the scripts in benchmarks/ import each other by bare name, as they do when they are run
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
