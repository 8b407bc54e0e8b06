#!/bin/sh
# Runs the compiler that the arguments name. What ptxas says of registers, stack and spills goes into OBJECT.usage beside the object,
# everything else where it would have gone.
object=
before=
for word; do
  [ "$before" = -o ] && object=$word
  before=$word
done
status=0
"$@" 2>"$object.said" || status=$?
usage='^ptxas info|bytes stack frame'
grep -E "$usage" "$object.said" >"$object.usage"
grep -vE "$usage" "$object.said" >&2
rm -f "$object.said"
exit $status
