-- The load balancer's own answers to gRPC calls: their HTTP status is the answer's, not Envoy's 200.
-- Envoy has put the answer's page into grpc-message.
-- Source: seen of a load balancer: HTTP 502 with grpc-status 14 and grpc-message `unavailable`.

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get("server") ~= "awselb/2.0" then return end
  local status = string.match(headers:get("grpc-message") or "", "<title>(%d%d%d) ")
  if not status then return end
  headers:replace(":status", status)
  -- AWS is silent: all answers of the load balancer to gRPC calls have grpc-status 14.
  headers:replace("grpc-status", "14")
  headers:replace("grpc-message", "unavailable")
end
