#!/usr/bin/env bash
# Write the plan as the one comment of ours on a pull request: gh(1), with GH_TOKEN, GH_REPO, NUMBER, PLAN.
set -euo pipefail
marker='<!-- segc plan -->'
{ echo "$marker"; cat "$PLAN"; } > "$PLAN.comment"
ours=".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$marker\"))) | .id"
id=$(gh api --paginate "repos/$GH_REPO/issues/$NUMBER/comments" --jq "$ours" | sed -n 1p)
if [ -n "$id" ]; then
  gh api --silent --method PATCH "repos/$GH_REPO/issues/comments/$id" --field body=@"$PLAN.comment"
else
  gh api --silent "repos/$GH_REPO/issues/$NUMBER/comments" --field body=@"$PLAN.comment"
fi
