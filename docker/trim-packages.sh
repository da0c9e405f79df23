#!/bin/sh
# Takes out of installed packages ($1: their site-packages) what no running service reads, and compiles the rest, so that a
# read-only image starts as fast as one that can write.
set -eu
cd "$1"

find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.c' -o -name '*.h' -o -name '*.hpp' -o -name '*.a' \) -delete
# Tools of those who build with numpy, and the half of zstandard that other Pythons than CPython load.
rm -rf numpy/f2py numpy/distutils
rm -f zstandard/_cffi.*.so zstandard/backend_cffi.py

# Symbols for debuggers are 55 MB of the encoder's wheels. Libraries that wheels took in (*.libs) come stripped.
find . -type f -name '*.so' ! -path './*.libs/*' -exec strip --strip-unneeded {} +
# Stripping what patchelf has touched can break it: each must still load.
find . -type f -name '*.so' ! -path './*.libs/*' -exec python3 -c '
import ctypes, sys
for path in sys.argv[1:]:
    ctypes.CDLL(path)
' {} +

# Valid whatever the files' times are: layers do not keep them to the second.
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash .
