#!/usr/bin/env bash
# The walk-through of README.md, as a script. It wants a running server: `albatross serve`.
set -euo pipefail

export AWS_ENDPOINT_URL=${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test}
export AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1}
export AWS_PAGER=

NAME=www.example.com
PORT=${PORT:-8443}
CA=$(mktemp)
trap 'rm "$CA"' EXIT

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
LB_ARN=$(run aws elbv2 create-load-balancer --name my-https-alb \
  --subnets subnet-0aaaaaaaaaaaaaaaa subnet-0bbbbbbbbbbbbbbbb \
  --query 'LoadBalancers[0].LoadBalancerArn' --output text)

# 2. A certificate, issued at once by the authority of this installation
CERTIFICATE_ARN=$(run aws acm request-certificate --domain-name "$NAME" --validation-method DNS \
  --query CertificateArn --output text)

# 3. An HTTPS listener
run aws elbv2 create-listener --load-balancer-arn "$LB_ARN" --protocol HTTPS --port "$PORT" \
  --certificates CertificateArn="$CERTIFICATE_ARN" \
  --ssl-policy ELBSecurityPolicy-TLS13-1-2-2021-06 \
  --default-actions 'Type=fixed-response,FixedResponseConfig={StatusCode=200,ContentType=text/plain,MessageBody=hello}'

# 4. A client that trusts that authority
run albatross ca --endpoint "$AWS_ENDPOINT_URL" --export "$CA"
run curl --silent --show-error --include --cacert "$CA" \
  --resolve "$NAME:$PORT:127.0.0.1" "https://$NAME:$PORT/"
