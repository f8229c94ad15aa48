#!/usr/bin/env bash
# Check a policy and plan it against a revision, as a forge wants it: SARIF, Markdown, and an exit code.
# Reads SEGC_PATH, SEGC_AGAINST, SEGC_FAIL_ON (one condition a line), SEGC_STRICT; writes SEGC_SARIF, SEGC_PLAN.
set -uo pipefail
strict=()
[ "${SEGC_STRICT:-true}" = true ] && strict=(--strict)
conditions=()
while IFS= read -r condition; do
  [ -n "$condition" ] && conditions+=("--fail-on=$condition")
done <<< "${SEGC_FAIL_ON:-}"

# On a branch that is new there is nothing to compare with: only zeros, or nothing. Nor is there where the first
# policy comes to a repository; what a submodule held is not known, nor which files of other endings were policy.
against=${SEGC_AGAINST:-}
[[ $against =~ ^0*$ ]] && against=
if [ -n "$against" ] && [[ -d $SEGC_PATH || $SEGC_PATH == *.seg ]] &&
  files=$(git -C "$(dirname -- "$SEGC_PATH")" ls-tree -r --full-tree --end-of-options "$against" 2>/dev/null) &&
  ! grep -Eq '^160000 |\.seg"?$' <<< "$files"; then
  echo "\`$against\` holds no policy: nothing to compare with"
  against=
fi

segc check "${strict[@]}" --format sarif -- "$SEGC_PATH" > "$SEGC_SARIF"
if ! segc check "${strict[@]}" -- "$SEGC_PATH"; then
  exit 1
fi
[ -n "$against" ] || exit 0
segc plan "${strict[@]}" "${conditions[@]}" --against="$against" --format markdown -- "$SEGC_PATH" > "$SEGC_PLAN"
code=$?
if [ -s "$SEGC_PLAN" ]; then
  cat "$SEGC_PLAN" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
  echo "markdown=$SEGC_PLAN" >> "${GITHUB_OUTPUT:-/dev/null}"
fi
exit $code
