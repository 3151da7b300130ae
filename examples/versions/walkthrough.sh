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
RUNTIME=${RUNTIME:-python3.12}
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

count() { # send 200 requests and print how many each version has answered
  run curl --silent --show-error "http://$NAME:$PORT/?[1-200]" | sort | uniq -c
}

# 1. A function, its first version, and an alias for it
run python3 -m zipfile -c "$FOLDER/one.zip" app.py
run aws lambda create-function --function-name greeter --runtime "$RUNTIME" \
  --handler app.handler --zip-file "fileb://$FOLDER/one.zip" --publish \
  --role arn:aws:iam::123456789012:role/lambda-role --query Version --output text
LIVE=$(run aws lambda create-alias --function-name greeter --name live --function-version 1 \
  --query AliasArn --output text)

# 2. The alias as target of a load balancer
GROUP=$(run aws elbv2 create-target-group --name greeter --target-type lambda \
  --query 'TargetGroups[0].TargetGroupArn' --output text)
run aws lambda add-permission --function-name greeter --qualifier live \
  --statement-id load-balancer --action lambda:InvokeFunction \
  --principal elasticloadbalancing.amazonaws.com --source-arn "$GROUP" >&2
run aws elbv2 register-targets --target-group-arn "$GROUP" --targets "Id=$LIVE" >&2
read -r LB_ARN NAME <<< "$(run aws elbv2 create-load-balancer --name greeter \
  --subnets subnet-0aaaaaaaaaaaaaaaa subnet-0bbbbbbbbbbbbbbbb \
  --query 'LoadBalancers[0].[LoadBalancerArn,DNSName]' --output text)"
run aws elbv2 create-listener --load-balancer-arn "$LB_ARN" --protocol HTTP --port "$PORT" \
  --default-actions "Type=forward,TargetGroupArn=$GROUP" >&2
count

# 3. A new version gets a tenth
sed 's/hello/good day/' app.py > "$FOLDER/app.py"
run python3 -m zipfile -c "$FOLDER/two.zip" "$FOLDER/app.py"
run aws lambda update-function-code --function-name greeter --zip-file "fileb://$FOLDER/two.zip" \
  --publish --query Version --output text
run aws lambda update-alias --function-name greeter --name live \
  --routing-config 'AdditionalVersionWeights={2=0.1}' >&2
count

# 4. Then everything, and environments that are ready before the first request
run aws lambda update-alias --function-name greeter --name live --function-version 2 \
  --routing-config 'AdditionalVersionWeights={}' >&2
run aws lambda put-provisioned-concurrency-config --function-name greeter --qualifier live \
  --provisioned-concurrent-executions 2 >&2
count
