#!/bin/sh
# Run Python's arguments on the distribution's own interpreter with the packages of the project's environment:
#   on_distribution.sh .venv/bin/python /usr/bin/python3 -m pytest ...
# Packages with compiled parts are for one minor version of Python; where the two differ, it says so and runs nothing.
set -eu
ours=$1
theirs=$2
shift 2
minor() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
full() { "$1" -c 'import sys; print(sys.version.split()[0])'; }
if [ ! -x "$theirs" ]; then
  echo "NOT RUN on the distribution's Python: there is no $theirs"
elif [ "$(readlink -f "$ours")" = "$(readlink -f "$theirs")" ]; then
  echo "The distribution's Python ($(full "$theirs")) is the one that all tests ran on"
elif [ "$(minor "$ours")" != "$(minor "$theirs")" ]; then
  echo "NOT RUN on the distribution's Python $(full "$theirs"): the environment is for $(minor "$ours");"
  echo "make PYTHON=$theirs test"
else
  echo "On the distribution's Python $(full "$theirs"):"
  packages=$("$ours" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  PYTHONPATH="$(pwd):$packages" exec "$theirs" "$@"
fi
