"""What the load balancer and its Lambda host do, by area, for docs/coverage.md.

Each is proved by a test file, or still to come. The AWS API's operations are not listed here:
`coverage.py` reads them from the tables of operations.
"""

from collections.abc import Mapping

LATER = ""

# Area -> behaviour -> the file below tests/ that proves it, or LATER.
BEHAVIOURS: Mapping[str, Mapping[str, str]] = {
    "From the request to the event": {
        "Path and query as the client sent them, not decoded": "contract/test_event_query.py",
        "Single-value or multi-value fields, by the target group's attribute": (
            "contract/test_event_document.py"
        ),
        "Base64 by content type and content encoding": "contract/test_event_body.py",
        "X-Forwarded-For in its three modes, with the client's port or without": (
            "contract/test_event_own_headers.py"
        ),
        "X-Forwarded-Proto and X-Forwarded-Port of the listener": (
            "contract/test_event_own_headers.py"
        ),
        "X-Amzn-Trace-Id": "contract/test_event_own_headers.py",
        "Host by the listener's port, preserved if wanted": "contract/test_event_own_headers.py",
        "Invalid header names kept or dropped": "contract/test_event_headers.py",
        "Expect: 100-continue": "contract/test_event_headers.py",
        "Methods, also those of one's own": "contract/test_event_methods.py",
        "HTTP/1.0 clients": "contract/test_event_document.py",
        "HTTP/2 clients": "contract/test_event_document.py",
        "Headers about TLS and client certificates": "xds/test_https.py",
        "Health checks": "contract/test_event_health_check.py",
    },
    "From the result to the response": {
        "Status, description, headers, body, Base64": "contract/test_response_document.py",
        "A result that is no response is a 502; `albatross run` says what is wrong with it": (
            "host/test_response.py"
        ),
        "Hop-by-hop headers dropped, Content-Length computed": (
            "contract/test_response_headers.py"
        ),
        "Every error reason with its status and page": "contract/test_response_failures.py",
        "HEAD, 204 and 304": "contract/test_response_headers.py",
        "Names of headers keep their letter case": "contract/test_response_headers.py",
        "413 for a request body that is too large": "xds/test_listener.py",
        "502 for throttling, missing permission, a missing function": (
            "contract/test_response_failures.py"
        ),
        "503 for a target group without a target": "contract/test_response_failures.py",
        "504 at the idle timeout": "host/test_host.py",
    },
    "Listeners, rules and actions": {
        "HTTP listeners, opened and closed without a restart": "xds/test_server.py",
        "A changed rule counts on open connections too": "xds/test_server.py",
        "Conditions on host-header and path-pattern, with wildcards": "xds/test_route.py",
        "Conditions on http-header, http-request-method, query-string, source-ip": (
            "xds/test_conditions.py"
        ),
        "Regular expressions in conditions": "xds/test_conditions.py",
        "Paths normalised for matching, forwarded as sent": "xds/test_lua_request.py",
        "The same rules, events and responses over HTTP/2": "e2e/test_http2_through_proxy.py",
        "The same refusals over HTTP/2": "e2e/test_http2_refusals_through_proxy.py",
        "Forward to one target group": "xds/test_route.py",
        "Forward to several target groups by weight, with stickiness": "xds/test_weights.py",
        "Fixed responses": "xds/test_route.py",
        "Redirects with keywords": "xds/test_lua_request.py",
        "Authentication (OIDC, Cognito, JWT)": LATER,
        "Transforms of host and URL": "xds/test_transforms.py",
        "HTTPS listeners: security policies, TLS versions and ciphers": "xds/test_https.py",
        "Certificates by name (SNI), several for one name": "xds/test_sni.py",
        "A new or renewed certificate ends no connection": "xds/test_https.py",
        "Client certificates: passthrough, verify, revocation": "xds/test_https.py",
        "Trust stores, read from an S3 endpoint": "elbv2/test_trust_stores.py",
        "HTTP without TLS on the port of an HTTPS listener answered with 400": "xds/test_https.py",
        "OCSP, FIPS modules, RFC 9151 in TLS 1.3": LATER,
        "Response headers set, and Server removed, by a listener's attributes": (
            "xds/test_response_headers.py"
        ),
        "Refusals with 400, 405, 408, 413, 414 and 501, and their pages": "xds/test_listener.py",
        "Limits on sizes and forwarded addresses, at and above their values": (
            "contract/test_routing_limits.py"
        ),
        "Frames of RFC 9113, right and wrong": "e2e/test_http2_conformance.py",
        "Transforms, weights, cookies, bodies and redirects together": (
            "e2e/test_combinations_through_proxy.py"
        ),
        "WebSocket requests to a function answered with 400": "xds/test_listener.py",
        "Desync mitigation by mode": "contract/test_targets_desync.py",
        "Requests that try parsers: smuggling, encodings, versions, sizes": (
            "e2e/test_corpus_through_proxy.py"
        ),
        "Access logs: all 34 fields, and files named as AWS's objects": (
            "contract/test_access_log_fields.py"
        ),
        "Delivery of logs to S3, connection logs, CloudWatch metrics": LATER,
        "AWS WAF (403)": LATER,
        "Several load balancers on one port, told apart by name": "xds/test_route.py",
    },
    "Target groups": {
        "Target type lambda, one function": "elbv2/test_targets.py",
        "The function's policy is checked at registration": "elbv2/test_targets.py",
        "The function's policy is checked at each request": "host/test_host.py",
        "Defaults, limits and messages of the settings": "elbv2/test_target_groups.py",
        "Attributes of target groups": "elbv2/test_attributes.py",
        "Health checks over HTTP, HTTPS, HTTP/2 and gRPC": "health/test_probe.py",
        "Health checks of functions, by invocation": "control/test_lambda_check.py",
        "States, reasons and descriptions of targets": "contract/test_targets_states.py",
        "Health check logs": LATER,
        "Target types ip and instance, over HTTP and HTTPS": "e2e/test_servers_through_proxy.py",
        "Settings and targets of groups of servers": "elbv2/test_server_target_groups.py",
        "Addresses of targets, draining, limits": "elbv2/test_server_targets.py",
        "Instances by a table or an EC2 API": "control/test_instances.py",
        "Protocol versions HTTP2 and GRPC, and 464": "contract/test_targets_protocol_versions.py",
        "Round robin, least outstanding requests, weighted random": (
            "contract/test_targets_algorithms.py"
        ),
        "Fail-open by count and share of healthy targets": "health/test_routing.py",
        "Slow start": "health/test_slow_start.py",
        "Anomalies, shown and mitigated": "health/test_anomalies.py",
        "Requests of a function that is deregistered answered with 502": (
            "contract/test_targets_registering.py"
        ),
        "Stickiness by AWSALB and by application cookies": "contract/test_targets_stickiness.py",
        "Draining of targets, also over a restart": "control/test_draining.py",
        "Target type alb; target optimizer": LATER,
    },
    "Lambda host": {
        "Python functions on AWS's own runtime client": "host/test_host.py",
        "Node.js functions": "host/test_node_bootstrap.py",
        "Node.js functions by a socket of their own; streaming handlers": (
            "host/test_node_channel.py"
        ),
        "Interpreters of version managers; the nearest for what is missing": (
            "host/test_interpreters.py"
        ),
        "Functions of another Python, without a network": "host/test_runtimes.py",
        "Runtimes that AWS has retired: taken, or refused under `strict`": (
            "lambda_/test_runtimes.py"
        ),
        "Applications of FastAPI, Flask, Powertools, Express and middy": "e2e/test_frameworks.py",
        "Executables (provided.*) through the Runtime API": "contract/test_host_runtime_api.py",
        "Wrapper scripts (AWS_LAMBDA_EXEC_WRAPPER)": "contract/test_host_wrapper.py",
        "Layers: published, shared with accounts, kept by functions": "lambda_/test_layers.py",
        "Layers merged into /opt, code in /var/task, read-only": "host/test_layers.py",
        "Code from S3, and from a directory that is reloaded": "control/test_function_code.py",
        "Code and layers can be downloaded where GetFunction says": "e2e/test_code_sources.py",
        "Functions that run elsewhere, in AWS for example": "e2e/test_remote_functions.py",
        "Event and DryRun of functions that run elsewhere": "e2e/test_remote_functions.py",
        "Whatever goes wrong there has its error reason": "host/test_remote.py",
        "Container images": LATER,
        "The variables that Lambda sets, and nothing of the server's": "host/test_host.py",
        "The metadata endpoint: the Availability Zone": "contract/test_host_environment.py",
        "A private /tmp, kept over a crash": "host/test_host.py",
        "A reset, with the init phase as part of the next invocation": "host/test_lifecycle.py",
        "Freezing between invocations (a setting)": "host/test_lifecycle.py",
        "Memory, with Runtime.OutOfMemory; /tmp of the ephemeral storage": "host/test_lifecycle.py",
        "External and internal extensions, shutdown phase included": "host/test_extensions.py",
        "Telemetry API and Logs API for extensions": "host/test_telemetry.py",
        "A user id or a sandbox for each environment": "host/test_isolation.py",
        "Environments are reused, started by need and ended when idle": "host/test_pool.py",
        "The function's timeout": "host/test_host.py",
        "Reserved concurrency and the account's 1,000": "host/test_pool.py",
        "An init phase of 10 seconds, then within the function's timeout": "host/test_pool.py",
        "New code without losing a request": "host/test_host.py",
        "Logs with START, END, REPORT, INIT_START and INIT_REPORT lines": "e2e/test_logs.py",
        "Lines and records of several lines as log events": "host/test_framing.py",
        "The log format JSON, log levels, a log group of one's own": "e2e/test_logs.py",
        "Logs in CloudWatch Logs: read, searched, followed, written": "logs/test_operations.py",
        "Filter patterns: text, JSON, space-delimited": "logs/test_filter_pattern.py",
        "Retention, and a bound on what all logs take": "log_store/test_files.py",
        "A flood of output waits, and keeps nobody else waiting": "host/test_output.py",
        "Metric filters, kept and shown": "logs/test_metric_filters.py",
        "Metrics that filters make, subscription filters, Logs Insights": LATER,
        "Invoke: RequestResponse and DryRun": "contract/test_host_invoke.py",
        "Invoke: Event, with retries and destinations": "e2e/test_asynchronous.py",
        "No accepted event is lost when every process is killed": "e2e/test_asynchronous.py",
        "Waits before retries, and the age of events": "asynchronous/test_retry.py",
        "Records and dead letters in queues, topics, buses and buckets": (
            "asynchronous/test_delivery.py"
        ),
        "Function URLs: payload format 2.0, permissions, signatures, CORS": (
            "e2e/test_function_urls.py"
        ),
        "Function URLs that stream responses": "e2e/test_response_streams.py",
        "Published versions, which never change, and by which name they go": (
            "lambda_/test_versions.py"
        ),
        "Aliases, of one version or two by weight": "lambda_/test_aliases.py",
        "Versions and aliases as targets; an alias is moved without losing a request": (
            "e2e/test_function_versions_through_proxy.py"
        ),
        "A policy of its own for each qualifier": "lambda_/test_versions.py",
        "Reserved concurrency covers all versions": "host/test_concurrency.py",
        "Provisioned concurrency: environments that are kept ready": (
            "e2e/test_function_versions_through_proxy.py"
        ),
    },
    "Certificates": {
        "Imported certificates: kinds of key, validity, chain": "acm/test_bundle.py",
        "Requested certificates, issued at once by a local authority": "acm/test_certificates.py",
        "A local authority that others can verify against": "acm/test_authority.py",
        "Private keys in files of their owner, in no answer and no log": "store/test_keys.py",
        "Filters, order and pages of lists": "acm/test_listing.py",
        "Tags of certificates": "acm/test_tags.py",
        "A certificate in use is not deleted": "acm/test_certificates.py",
        "Certificates are renewed by themselves": LATER,
        "Export, private authorities, ACME": LATER,
    },
    "Limits": {
        "Every quota has AWS's default, and may be changed where AWS changes it": (
            "elbv2/test_limits.py"
        ),
        "50 load balancers in a Region": "contract/test_quotas_load_balancers.py",
        "50 listeners of a load balancer": "contract/test_quotas_load_balancers.py",
        "100 rules of a load balancer": "contract/test_quotas_load_balancers.py",
        "3,000 target groups in a Region": "contract/test_quotas_load_balancers.py",
        "100 target groups of a load balancer": "contract/test_quotas_load_balancers.py",
        "1 function in a target group": "elbv2/test_targets.py",
        "1,000 targets of a load balancer, 1,000 registrations of one": "elbv2/test_limits.py",
        "25 certificates of a load balancer": "contract/test_quotas_load_balancers.py",
        "20 trust stores, 25 authorities, 30 lists, 500,000 entries": (
            "elbv2/test_trust_stores.py"
        ),
        "Two listeners of a load balancer that verify clients": "elbv2/test_security.py",
        "128 streams of an HTTP/2 connection": "e2e/test_https_through_proxy.py",
        "50 tags of a resource": "contract/test_quotas_load_balancers.py",
        "Values and wildcards of a rule": "elbv2/test_conditions.py",
        "Request target, header lines, all headers": "xds/test_listener.py",
        "Request body of 1 MB": "xds/test_listener.py",
        "Result of 1 MB, response headers of 32 K": "host/test_response.py",
        "30 addresses in X-Forwarded-For": "xds/test_lua_request.py",
        "Location of 8 K": "xds/test_lua_request.py",
        "Deployment package of 50 MB": "contract/test_quotas_functions.py",
        "250 MB of a package when unpacked": "store/test_packages.py",
        "Environment variables of 4 KB": "contract/test_quotas_functions.py",
        "Policy of 20 KB": "contract/test_quotas_functions.py",
        "Result of 6 MB to Invoke": "host/test_host.py",
        "Event of 1 MB, request of 6 MB to Invoke": "e2e/test_asynchronous.py",
        "Request and result of 6 MB at a function URL": "e2e/test_function_urls.py",
        "Rates: calls of the API, new environments, requests a second": LATER,
    },
    "The server": {
        "What was acknowledged survives a kill of every process": "e2e/test_crashes.py",
        "State in SQLite or in PostgreSQL, with the same guarantees": "store/test_store.py",
        "A lost connection to PostgreSQL loses no change and makes none twice": (
            "store/test_postgresql.py"
        ),
        "Tables of older versions are brought up to date, newer ones refused": (
            "store/test_schema.py"
        ),
        "Backups of a running server, restored as a whole or not at all": "e2e/test_backup.py",
        "Packages that no function has any more are removed": "store/test_packages.py",
        "A process that dies is replaced": "test_supervisor.py",
        "Requests wait while the Lambda host is replaced": "e2e/test_serve.py",
        "Stopping lets requests in flight finish": "e2e/test_serve.py",
        "One command for one handler, reloaded when it changes": "e2e/test_run.py",
        "Why a request failed: in the terminal, in headers if wanted": "e2e/test_why.py",
        "Why a request failed: in the log": "e2e/test_why_serve.py",
        "Debuggers for Python and Node.js": "e2e/test_debugging.py",
        "The event of a request, and a function called by hand": "e2e/test_commands.py",
        "The walk-through of the URL shortener": "e2e/test_walkthrough.py",
        "Accounts and Regions kept apart by every operation": "test_worlds.py",
        "Signatures verified if wanted, presigned and in chunks too": "aws/test_verify.py",
        "Access keys in a file, which is read again when it changes": "aws/test_access_keys.py",
        "Not open to other machines by mistake": "test_access.py",
        "The AWS CLI's own examples of elbv2": "clients/test_cli_examples.py",
        "boto3's waiters": "clients/test_waiters.py",
        "boto3's paginators, while resources come and go": "clients/test_paginators.py",
        "Any call, sensible or broken, is answered and half done never": (
            "clients/test_any_calls.py"
        ),
        "Many callers of the same names at once": "clients/test_concurrent_callers.py",
        "Huge, slow, deep and malformed requests of the API": "clients/test_hostile_requests.py",
        "A web console": LATER,
        "Several proxies, several hosts": LATER,
        "Other AWS services (S3, DynamoDB, IAM, ...)": LATER,
        "CloudFormation": LATER,
    },
}
