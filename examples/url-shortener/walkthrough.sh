#!/usr/bin/env bash
# The walk-through of README.md, as a script: LANGUAGE=python|nodejs ./walkthrough.sh
# It wants a server on which nothing has been made yet: `albatross serve`.
set -euo pipefail
cd "$(dirname "$0")"

export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test}
export AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1}
export AWS_PAGER=

case "${LANGUAGE:=python}" in
  python) SOURCE=python/url_shortener.py RUNTIME=python3.12 HANDLER=url_shortener.handler ;;
  nodejs) SOURCE=nodejs/url-shortener.js RUNTIME=nodejs22.x HANDLER=url-shortener.handler ;;
  *) echo "LANGUAGE is python or nodejs, not $LANGUAGE" >&2; exit 2 ;;
esac
LONG_URL=${LONG_URL:-$AWS_ENDPOINT_URL/_albatross/health} # a page that is there without the Internet

ZIP=$(mktemp -d)/function.zip
trap 'rm -r "$(dirname "$ZIP")"' EXIT

run() { # print a command, then run it
  local word line=''
  for word; do
    [[ $word =~ ^[a-zA-Z0-9_./:=,-]+$ ]] || word="'$word'"
    line+=" $word"
  done
  printf '\n$%s\n' "$line" >&2
  "$@"
}

# 1. A load balancer
read -r LB_ARN DNS_NAME < <(run aws elbv2 create-load-balancer --name my-alb \
  --subnets subnet-0aaaaaaaaaaaaaaaa subnet-0bbbbbbbbbbbbbbbb \
  --query 'LoadBalancers[0].[LoadBalancerArn,DNSName]' --output text)
echo "$LB_ARN $DNS_NAME"

# 2. A function
run python3 -m zipfile -c "$ZIP" "$SOURCE"
FUNCTION_ARN=$(run aws lambda create-function --function-name url-shortener \
  --runtime "$RUNTIME" --handler "$HANDLER" --zip-file "fileb://$ZIP" \
  --role arn:aws:iam::123456789012:role/lambda-role \
  --query FunctionArn --output text)
echo "$FUNCTION_ARN"

# 3. A target group, which may invoke the function, and has it as its target
TG_ARN=$(run aws elbv2 create-target-group --name my-tg --target-type lambda \
  --query 'TargetGroups[0].TargetGroupArn' --output text)
echo "$TG_ARN"
run aws lambda add-permission --function-name url-shortener --statement-id load-balancer \
  --action lambda:InvokeFunction --principal elasticloadbalancing.amazonaws.com \
  --source-arn "$TG_ARN"
run aws elbv2 register-targets --target-group-arn "$TG_ARN" --targets "Id=$FUNCTION_ARN"

# 4. A listener
LISTENER_ARN=$(run aws elbv2 create-listener --load-balancer-arn "$LB_ARN" \
  --protocol HTTP --port 80 --default-actions "Type=forward,TargetGroupArn=$TG_ARN" \
  --query 'Listeners[0].ListenerArn' --output text)
echo "$LISTENER_ARN"

# Without the right to bind port 80, the listener is at 8080.
URL=http://$DNS_NAME
curl -s -o /dev/null "$URL/" || URL=http://$DNS_NAME:8080

# 5. Use it
ANSWER=$(run curl -sS -X POST "$URL/shorten" -H 'Content-Type: application/json' \
  -d "{\"longUrl\": \"$LONG_URL\"}")
echo "$ANSWER"
CODE=$(sed -E 's/.*"shortCode": ?"([^"]*)".*/\1/' <<<"$ANSWER")
run curl -sSL "$URL/$CODE"
echo

# 6. A rule, an attribute, and a look at the target
run aws elbv2 create-rule --listener-arn "$LISTENER_ARN" --priority 10 \
  --conditions "Field=path-pattern,Values=/old/*" \
  --actions 'Type=fixed-response,FixedResponseConfig={StatusCode=410,ContentType=text/plain,MessageBody=Gone}'
run curl -sS -i "$URL/old/page"
echo
run aws elbv2 modify-target-group-attributes --target-group-arn "$TG_ARN" \
  --attributes Key=lambda.multi_value_headers.enabled,Value=true
run curl -sS -i "$URL/$CODE"
echo
run aws elbv2 describe-target-health --target-group-arn "$TG_ARN"
