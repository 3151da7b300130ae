#!/usr/bin/env bash
# The walk-through of README.md, as a script. It wants a running server: `albatross serve`.
set -euo pipefail
cd "$(dirname "$0")"

export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test}
export AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1}
export AWS_PAGER=

PORT=${PORT:-8080}
FOLDER=$(mktemp -d)
trap 'rm -r "$FOLDER"' EXIT

run() { # print a command, then run it
  local word line=''
  for word; do
    [[ $word =~ ^[a-zA-Z0-9_./:=,-]+$ ]] || word="'$word'"
    line+=" $word"
  done
  printf '\n$%s\n' "$line" >&2
  "$@"
}

group() { # make a function that answers with this version; print the ARN of its target group
  local function group
  function=$(run aws lambda create-function --function-name "shop-$1" --runtime python3.12 \
    --handler app.handler --zip-file "fileb://$FOLDER/app.zip" \
    --environment "Variables={VERSION=$1}" \
    --role arn:aws:iam::123456789012:role/lambda-role --query FunctionArn --output text)
  group=$(run aws elbv2 create-target-group --name "shop-$1" --target-type lambda \
    --query 'TargetGroups[0].TargetGroupArn' --output text)
  run aws lambda add-permission --function-name "shop-$1" --statement-id load-balancer \
    --action lambda:InvokeFunction --principal elasticloadbalancing.amazonaws.com \
    --source-arn "$group" >&2
  run aws elbv2 register-targets --target-group-arn "$group" --targets "Id=$function" >&2
  echo "$group"
}

weights() { # print an action: so much for stable, so much for canary, and what else it shall have
  printf 'Type=forward,ForwardConfig={TargetGroups=[{TargetGroupArn=%s,Weight=%s},{TargetGroupArn=%s,Weight=%s}]%s}' \
    "$STABLE" "$1" "$CANARY" "$2" "${3:-}"
}

count() { # send 200 requests and print how many each version has answered
  run curl --silent --show-error "$@" "http://$NAME:$PORT/?[1-200]" | sort | uniq -c
}

# 1. Two functions, each in a target group
run python3 -m zipfile -c "$FOLDER/app.zip" app.py
STABLE=$(group stable)
CANARY=$(group canary)

# 2. A load balancer with one rule, nine to one
read -r LB_ARN NAME <<< "$(run aws elbv2 create-load-balancer --name shop \
  --subnets subnet-0aaaaaaaaaaaaaaaa subnet-0bbbbbbbbbbbbbbbb \
  --query 'LoadBalancers[0].[LoadBalancerArn,DNSName]' --output text)"
LISTENER=$(run aws elbv2 create-listener --load-balancer-arn "$LB_ARN" --protocol HTTP \
  --port "$PORT" --default-actions 'Type=fixed-response,FixedResponseConfig={StatusCode=404}' \
  --query 'Listeners[0].ListenerArn' --output text)
RULE=$(run aws elbv2 create-rule --listener-arn "$LISTENER" --priority 10 \
  --conditions 'Field=path-pattern,Values=/*' --actions "$(weights 90 10)" \
  --query 'Rules[0].RuleArn' --output text)
count

# 3. Half and half
run aws elbv2 modify-rule --rule-arn "$RULE" --actions "$(weights 50 50)" >&2
count

# 4. Clients stay with what they have seen
run aws elbv2 modify-rule --rule-arn "$RULE" \
  --actions "$(weights 50 50 ',TargetGroupStickinessConfig={Enabled=true,DurationSeconds=300}')" >&2
count --cookie "$FOLDER/jar" --cookie-jar "$FOLDER/jar"
