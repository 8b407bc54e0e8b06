#!/bin/sh
# floor.sh LIBRARY JUMPS WRAPS: how to link LIBRARY again so that it loads on systems older than this one.
# The linker takes the newest version of each symbol of the C library; those above 2.17 that have an older one are wrapped. JUMPS
# (C++) defines __wrap_NAME as a jump to that older version, WRAPS has the linker's options. A symbol above 2.28 without an older
# version is an error here: the code must do without it.
set -eu
library=$1 jumps=$2 wraps=$3
rm -f "$jumps.new" "$wraps.new"
known=
for name in libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1; do
  known="$known $("${CXX:-c++}" -print-file-name=$name)"
done
case $(uname -m) in
  x86_64) jump='jmp %s@PLT' ;;
  aarch64) jump='b %s' ;;
  *) echo "floor.sh: no jump for $(uname -m)" >&2; exit 1 ;;
esac

# Lines "has|asks name major.minor.patch" of versioned symbols; objdump puts a hidden version in brackets.
versions() {
  objdump -T "$1" | tr -d '()' |
    awk 'NF > 1 && $(NF - 1) ~ /^GLIBC_[0-9.]+$/ { print /\*UND\*/ ? "asks" : "has", $NF, substr($(NF - 1), 7) }'
}
{
  for path in $known; do versions "$path" | grep '^has'; done
  versions "$library" | grep '^asks'
} | awk -v jump="$jump" -v jumps="$jumps" -v wraps="$wraps" '
  function number(version, parts) { split(version, parts, "."); return parts[1] * 10000 + parts[2] * 100 + parts[3] }
  { seen[$1] = 1 }
  $1 == "has" && number($3) <= 21700 && number($3) > number(old[$2]) { old[$2] = $3 }
  $1 == "asks" && number($3) > 21700 && $2 in old {
    name = $2
    printf "__asm__(\".text\\n.globl __wrap_%s\\n.hidden __wrap_%s\\n.type __wrap_%s,@function\\n__wrap_%s: " jump "\\n" \
      ".symver old_%s,%s@GLIBC_%s\\n\");\n", name, name, name, name, "old_" name, name, name, old[name] > jumps ".new"
    print "-Wl,--wrap=" name > wraps ".new"
    next
  }
  $1 == "asks" && number($3) > 22800 { print "floor.sh: " $2 " exists only since glibc " $3; failed = 1 }
  END {
    if (!seen["has"] || !seen["asks"]) { print "floor.sh: no symbol versions were read"; failed = 1 }
    exit failed
  }
' >&2
touch "$jumps.new" "$wraps.new"
mv "$jumps.new" "$jumps"
mv "$wraps.new" "$wraps"
