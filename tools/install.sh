#!/bin/sh
# Makes .venv from a lock. Uses uv where it is, pip otherwise.
#   install.sh PYTHON run|dev
set -eu
python=$1
set_of=$2
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Yutang needs Python 3.11 or newer; '$python' is older or missing. Name another: make run PYTHON=python3.12" >&2
    exit 1
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "installing ($set_of) into .venv …"
# pip takes two minutes over what uv does in half a one, so where uv is missing pip is asked for it first.
uv=$(command -v uv || true)
if [ -z "$uv" ] && .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.5" 2>/dev/null; then
    uv=.venv/bin/uv
fi
if [ -n "$uv" ] && "$uv" pip install --quiet --compile-bytecode --python .venv/bin/python -r "requirements/$set_of.lock"; then
    "$uv" pip install --quiet --python .venv/bin/python --no-deps -e .
else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "requirements/$set_of.lock"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
touch ".venv/$set_of.done"
[ "$set_of" = dev ] && touch .venv/run.done
exit 0
