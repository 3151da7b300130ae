-- What the load balancer does to a request beyond Envoy's own settings.
--
-- One script for all: what differs between load balancers and rules comes as the route's parameters
-- (albatross/xds/route.py). Every worker has a state of its own. An error in here would be logged and the
-- request passed on as it is, so nothing that protects a function is decided here alone. Requests for which no more
-- than the trace header would be written pass by (native/ordinary.c): what is added for all must be added there.
-- Sources: ALB user guide, "X-Forwarded headers", "Request tracing", "Edit attributes", "Troubleshoot".

local byte, char, find, format, gmatch, gsub, match, sub =
  string.byte, string.char, string.find, string.format, string.gmatch, string.gsub, string.match, string.sub
local random, time = math.random, os.time

-- AWS is silent: a request target of more than 16,384 bytes is answered 414, one whose request line has more, 400.
local TARGET_BYTES_MAX = 16384
local LINE_BYTES_MAX = 16383 -- `Name: value` without its line end
-- AWS is silent: headers of more than 65,536 bytes, line ends included, or with a line of 16,384
-- bytes or more, are answered 400; AWS names 413 too.
local HEADERS_BYTES_MAX = 65536
-- AWS is silent: the 7 KB of headers above which the trace header is written anew are 7,168 bytes.
local TRACED_HEADERS_BYTES_MAX = 7168 -- above, the trace header is written anew
local FORWARDED_ADDRESSES_MAX = 30
local LOCATION_BYTES_MAX = 8192
local MEASURED_BYTES_MIN = 4096 -- of what Envoy has read; it counts up to a quarter less than there is
local CONFIGURATIONS_MAX = 10000
local LAMBDA_BODY_BYTES_MAX = 1048576
local SMALL_BODY_BYTES_MAX = 65536
local COOKIE_S = 7 * 24 * 3600
local TIME_DIGITS = 12
local TIME_MODULUS = 2 ^ 48

-- Lines that Envoy has added to what the client sent, and the names of its own (they start with a colon).
local NOT_THE_CLIENTS = {
  ["x-albatross-size"] = true, ["x-albatross-referer"] = true, ["x-forwarded-proto"] = true,
  ["x-envoy-internal"] = true, ["x-envoy-external-address"] = true,
}
local COLON = byte(":")
-- How names of routes end (albatross/xds/names.py): where rules see Host without its port; where rules that name a host
-- are apart from others, which may come first; the same, but of those others.
local BARE_HOST, APART, APART_OTHERS = byte("*"), byte("+"), byte("=")
local LAST_PRIORITY = math.huge -- the default rule's
local NO_HOST = "-"
local ALL_RULES = "," -- behind a host: its rules and those for no host, in one list
local INTERNAL = "x-albatross-"

-- Requests without a length come to the host without one only under these methods: to others Envoy
-- adds `content-length: 0`. Under BODIED ones they come as they are where they have a length.
local BODILESS = { GET = true, HEAD = true, DELETE = true }
local BODIED = { POST = true, PUT = true, PATCH = true, OPTIONS = true }

-- Nearly all that this does is calls of Envoy's functions, which are not compiled: looking for what could be costs
-- more than it saves. And the little that is kept is not worth a look each time that it has doubled.
jit.off()
collectgarbage("setpause", 1000)

do
  local source = assert(io.open("/dev/urandom", "rb"))
  local seed = 0
  for i = 1, 6 do seed = seed * 256 + byte(source:read(1)) end
  source:close()
  math.randomseed(seed)
end

local function trace_value()
  return format("1-%08x-%012x%012x", time(), random(0, 281474976710655), random(0, 281474976710655))
end

-- The trace header to send where the client sent `old` (nil: none).
-- AWS is silent: several X-Amzn-Trace-Id headers count as one, joined by commas.
local function traced(old)
  if not old or old == "" then return "Root=" .. trace_value() end
  local fields = ";" .. old
  local renewed, count = gsub(fields, ";(%s*)Self=[^;]*", ";%1Self=" .. trace_value(), 1)
  if count == 1 then return sub(renewed, 2) end
  if find(fields, ";%s*Root=") then return "Self=" .. trace_value() .. ";" .. old end
  -- AWS is silent: a trace header without Root and Self gets a new Root before its fields.
  return "Root=" .. trace_value() .. ";" .. old
end

local function without_port(host)
  return match(host, "^%[[^%]]*%]") or match(host, "^[^:]*")
end

local function has_port(host)
  return find(host, ":%d+$") ~= nil and (byte(host) ~= 91 or find(host, "%]:%d+$") ~= nil)
end

local function character(hex) return char(tonumber(hex, 16)) end

local function unescape_unreserved(hex)
  local found = character(hex)
  if find(found, "^[%w%-._~]$") then return found end
  return "%" .. hex:upper()
end

-- The path on which rules are matched: RFC 3986, sections 6.2.2 and 5.2.4. The query stays.
-- AWS is silent: rules are matched on the path after dot segments are resolved and escapes of
-- letters, digits and -._~ decoded; other escapes and repeated slashes stay.
local function normalised(target)
  local path, query = match(target, "^([^?]*)(.*)$")
  path = gsub(path, "%%(%x%x)", unescape_unreserved)
  if find(path, "/.", 1, true) then
    local segments, depth, last = {}, 0, nil
    for segment in path:gmatch("/([^/]*)") do
      last = segment
      if segment == ".." then
        if depth > 0 then depth = depth - 1 end
      elseif segment ~= "." then
        depth = depth + 1
        segments[depth] = segment
      end
    end
    path = "/" .. table.concat(segments, "/", 1, depth)
    if (last == "." or last == "..") and sub(path, -1) ~= "/" then path = path .. "/" end
  end
  return path .. query
end

local configurations, configurations_count = {}, 0

-- What the name of a route says (albatross/xds/names.py): the parameters by name, and by number the starts of
-- paths for which other rules may come first.
local function parsed(name)
  local protocol, port, priority, texts, starts = match(name, "^%S+ (%S+) (%S+) (%S+) %S+ %S+ (%S+) (%S+)")
  local known = { protocol = protocol, port = port, priority = priority == "0" and LAST_PRIORITY or tonumber(priority) }
  for key, value in gmatch(texts, "([^=&]+)=([^&]*)") do known[key] = gsub(value, "%%(%x%x)", character) end
  for start in gmatch(starts, "/[^,]*") do known[#known + 1] = start end
  return known
end

-- The target groups to choose from, which have parameters of their own beside those of the rule, `of`.
local function choices(groups, of)
  local known = { total = 0, by_token = {} }
  for _, group in ipairs(groups) do
    known.total = known.total + tonumber(group.weight)
    group.upto, group.mask = known.total, tonumber(group.mask, 16)
    group.protocol, group.port = of.protocol, of.port
    known.by_token[group.token] = group
    known[#known + 1] = group
  end
  return known
end

-- The parameters of the chosen route, whose name is `name`, as a table. `context`: where target groups to choose from
-- are, else the handle's own; Envoy copies all of a route's metadata for each request that asks.
local function configuration(handle, name, context)
  local known = configurations[name]
  if known then return known end
  if configurations_count >= CONFIGURATIONS_MAX then configurations, configurations_count = {}, 0 end
  known = parsed(name)
  if known.groups then known.groups = choices((context or handle:metadata()):get("groups"), known) end
  configurations[name] = known
  configurations_count = configurations_count + 1
  return known
end

-- Notes something for the access log, or for the response.
local function note(handle, key, value)
  handle:streamInfo():dynamicMetadata():set("albatross", key, value)
end

-- Answers by itself. `code` and `detail` tell why (albatross/xds/refusals.py).
local function answer(handle, status, code, detail)
  note(handle, "refusal", code)
  note(handle, "refusal-detail", detail)
  if status == "400" then handle:streamInfo():drainConnectionUponCompletion() end
  handle:respond({ [":status"] = status }, "") -- the page comes from albatross/xds/local_reply.py
end

local function redirect(handle, to, host, target)
  local path, query = match(target, "^/?([^?]*)%??(.*)$")
  -- AWS is silent: a request with an empty Host is not redirected to `#{host}`, but refused with 400.
  if host == "" and find(to.redirect_host, "#{host}", 1, true) then
    return answer(handle, "400", "MalformedRequest", "headers[Host]: expected the host to which to redirect, found none")
  end
  local values = { protocol = to.protocol, host = without_port(host), port = to.port, path = path, query = query }
  local function fill(template) return (gsub(template, "#{(%l+)}", values)) end
  -- AWS is silent: a redirect's Location always names the port, and has no `?` without a query.
  local location = fill(to.redirect_protocol) .. "://" .. fill(to.redirect_host) .. ":" .. fill(to.redirect_port) .. fill(to.redirect_path)
  local new_query = fill(to.redirect_query)
  if new_query ~= "" then location = location .. "?" .. new_query end
  if #location > LOCATION_BYTES_MAX then
    return answer(handle, "507", "LocationTooLong", format("Location: expected at most %d bytes, found %d", LOCATION_BYTES_MAX, #location))
  end
  handle:respond({
    [":status"] = to.redirect_status, location = location, server = "awselb/2.0", ["content-type"] = "text/html",
  }, to.redirect_page)
end

local function cookie(headers, wanted)
  for line = 0, headers:getNumValues("cookie") - 1 do
    for name, value in headers:getAtIndex("cookie", line):gmatch("([^=;%s]+)=([^;]*)") do
      if name == wanted then return (gsub(value, "%s+$", "")) end
    end
  end
end

-- The group with which the client is to stay, if its cookie is good and not too old. AWSALBTG and its twin hold
-- a group's token and the time in milliseconds, hidden by the group's mask.
local function kept_group(handle, headers, to)
  local value = cookie(headers, "AWSALBTGCORS") or cookie(headers, "AWSALBTG")
  if not value then return nil end
  -- AWS is silent: a request with a URL-encoded AWSALBTG cookie goes to a group chosen by weight.
  if find(value, "%", 1, true) then note(handle, "error", "AWSALBTGCookieInvalid") end
  local group, hidden = to.groups.by_token[sub(value, 1, -TIME_DIGITS - 1)], sub(value, -TIME_DIGITS)
  if not group or not find(hidden, "^%x+$") then return nil end
  -- AWS is silent: the duration of group stickiness counts from a client's last request.
  local age_ms = handle:timestamp() - (tonumber(hidden, 16) - group.mask) % TIME_MODULUS
  return age_ms >= 0 and age_ms <= to.sticky_s * 1000 and group or nil
end

local function drawn_group(groups)
  if groups.total == 0 then return nil end
  local draw = random(groups.total)
  for _, group in ipairs(groups) do
    if draw <= group.upto then return group end
  end
end

local function sticky_cookies(handle, group)
  local hidden = format("%012x", (handle:timestamp() + group.mask) % TIME_MODULUS)
  local rest = "=" .. group.token .. hidden .. os.date("!; Expires=%a, %d %b %Y %H:%M:%S GMT; Path=/", time() + COOKIE_S)
  note(handle, "sticky-cookie", "AWSALBTG" .. rest)
  note(handle, "sticky-cors-cookie", "AWSALBTGCORS" .. rest .. "; SameSite=None; Secure")
end

-- Has Envoy choose the route for `host`, or what stands for others. Returns its parameters. This works once in a
-- request, as Envoy keeps the metadata that it has once given.
local function choose_for(handle, headers, info, host, sent)
  headers:replace(":authority", host)
  handle:clearRouteCache()
  local context = handle:metadata() -- Envoy chooses
  local name = info:routeName()
  headers:replace(":authority", sent)
  return configuration(handle, name, context)
end

-- The parameters of the chosen route of a host, whose name is `name`, or of one for no host in particular, which is
-- looked for where it may come first (albatross/xds/apart.py), and chosen where it does.
local function own_or_other(handle, headers, info, name, path, sent)
  local own = configurations[name] or configuration(handle, name, handle:route():metadata())
  local may_come_first = false
  for _, start in ipairs(own) do
    if sub(path, 1, #start) == start then may_come_first = true end
  end
  if not may_come_first then return own end
  local other = choose_for(handle, headers, info, NO_HOST, sent)
  if other.priority <= own.priority then return other end
  handle:clearRouteCache() -- the next filter chooses the host's route again
  return own
end

-- Chooses the route as rules see the request, and the target group where the rule has several. Returns what is to
-- be done. Rules see the normalised path, and where some have regular expressions for hosts, Host without its port.
-- `is_chosen`: the route is chosen for that already (native/ordinary.c).
local function choose(handle, headers, host, target, matched, as_sent, is_chosen)
  local info = handle:streamInfo()
  local name = info:routeName() -- of the route for the request as it was sent
  local kind, to = byte(name, -1), nil
  if matched ~= target then headers:replace(":path", matched) end
  local bare = kind == BARE_HOST and not is_chosen and without_port(host)
  if bare and bare ~= host then
    to = choose_for(handle, headers, info, bare, host)
  elseif as_sent then
    to = kind == APART and own_or_other(handle, headers, info, name, matched, host) or configuration(handle, name)
  else
    local is_apart = kind == APART or kind == APART_OTHERS
    to = choose_for(handle, headers, info, is_apart and without_port(host) .. ALL_RULES or host, host)
  end
  local group = to.groups and (to.sticky_s and kept_group(handle, headers, to) or drawn_group(to.groups))
  if group then
    if to.sticky_s then sticky_cookies(handle, group) end
    headers:replace("x-albatross-group", group.choice)
    if matched ~= target then headers:replace("x-albatross-path", target) end -- lua/transform.lua puts it back
    handle:clearRouteCache() -- the next filter chooses the group's route
    return group
  end
  if matched ~= target then headers:replace(":path", target) end
  return to
end

local function client_address(handle, with_port, bracketed)
  local address = handle:streamInfo():downstreamDirectRemoteAddress() -- ip:port or [ip]:port
  if with_port then return address end
  local ipv6 = match(address, "^%[(.*)%]:%d+$")
  if ipv6 then return bracketed and "[" .. ipv6 .. "]" or ipv6 end
  return match(address, "^(.*):%d+$") or address
end

-- AWS is silent: an empty X-Forwarded-For of a client's counts as none where the client's address is appended.
local function forward_for(handle, headers, mode, with_port, received)
  if mode == "append" then
    if received == "" then
      headers:replace("x-forwarded-for", client_address(handle, with_port))
    elseif received then
      headers:replace("x-forwarded-for", received .. ", " .. client_address(handle, with_port, true))
    elseif with_port then
      headers:replace("x-forwarded-for", client_address(handle, true))
    end -- else the route adds it
  elseif mode == "remove" and received then
    headers:remove("x-forwarded-for")
  end
end

-- Every other method travels in a header, under one that the host's parser knows (albatross/host/event.py).
local function carry_method(headers, method)
  if BODILESS[method] or (BODIED[method] and headers:get("content-length")) then return end
  headers:replace("x-albatross-method", method)
  headers:replace(":method", "DELETE")
end

-- PEM in the URL encoding that leaves `+`, `/` and `=` as they are. Envoy has encoded them.
local UNENCODED = { ["%2B"] = "+", ["%2F"] = "/", ["%3D"] = "=" }
local function lightly_encoded(pem)
  return (gsub(pem, "%%%x%x", UNENCODED))
end

local function utc(epoch_s)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", epoch_s)
end

-- Tells the target of the client's certificate, under the names in `to`.
local function add_client_certificate(handle, headers, to)
  local tls = handle:streamInfo():downstreamSslConnection()
  if not tls or not tls:peerCertificatePresented() then return end
  if to.mtls_chain then
    headers:replace(to.mtls_chain, lightly_encoded(tls:urlEncodedPemEncodedPeerCertificateChain()))
    return
  end
  headers:replace(to.mtls_serial, tls:serialNumberPeerCertificate():upper())
  headers:replace(to.mtls_issuer, tls:issuerPeerCertificate())
  headers:replace(to.mtls_subject, tls:subjectPeerCertificate())
  local from, to_date = utc(tls:validFromPeerCertificate()), utc(tls:expirationPeerCertificate())
  headers:replace(to.mtls_validity, "NotBefore=" .. from .. ";NotAfter=" .. to_date)
  headers:replace(to.mtls_leaf, lightly_encoded(tls:urlEncodedPemEncodedPeerCertificate()))
end

local function drop_invalid(headers)
  local invalid = {}
  for name in pairs(headers) do
    if byte(name) ~= COLON and find(name, "[^%w%-]") then invalid[#invalid + 1] = name end
  end
  for _, name in ipairs(invalid) do headers:remove(name) end
end

-- The bytes of the header lines as the client sent them, and whether one of them is over the limit.
local function measured(headers, host)
  local total, too_long = #"Host: " + #host + 2, false
  for name, value in pairs(headers) do
    if byte(name) ~= COLON and not NOT_THE_CLIENTS[name] then
      local size = #name + #value + 2
      -- The client's Connection and X-Forwarded-Proto.
      if sub(name, 1, #INTERNAL) == INTERNAL then size = size - #INTERNAL end
      if size > LINE_BYTES_MAX then too_long = true end
      total = total + size + 2
    end
  end
  return total, too_long
end

-- The class and the reason of a header that Envoy lets pass, but that others may misread: a name that is nearly that
-- of a header about the body, or a byte above 0x7f in a value.
local function odd_header(headers)
  local class, reason
  for name, value in pairs(headers) do
    local letters = gsub(name, "[^%a]", "")
    if (letters == "transferencoding" and name ~= "transfer-encoding") or (letters == "contentlength" and name ~= "content-length") then
      return "Ambiguous", "SuspiciousHeader"
    end
    if byte(name) ~= COLON and find(value, "[\128-\255]") then class, reason = "Acceptable", "NonCompliantHeader" end
  end
  return class, reason
end

-- The class and the reason that http_desync_guardian has for a request that Envoy has let pass; nil: it is compliant.
-- `coding` is that of the body, `imitation` the value of Transfer_Encoding or Content_Length; "": there is none.
-- The library has nothing to say of HTTP/2.
-- differs from AWS: of headers with names like Transfer-Encoding or Content-Length, only those with an underscore
-- for the hyphen are seen, and bytes above 0x7f not, unless `routing.http.desync_mitigation_mode` is strictest.
local function classified(handle, headers, method, coding, imitation, mode)
  local bodiless = method == "GET" or method == "HEAD"
  local length = bodiless and headers:get("content-length")
  local is_chunked = coding ~= ""
  if not length and not is_chunked and imitation == "" and mode ~= "strictest" then return nil end
  local version = handle:streamInfo():protocol()
  if version == "HTTP/2" then return nil end
  if is_chunked and (bodiless or version == "HTTP/1.0") then return "Ambiguous", "UndefinedTransferEncodingSemantics" end
  if length and length ~= "0" then return "Ambiguous", "UndefinedContentLengthSemantics" end
  if imitation ~= "" then return "Ambiguous", "SuspiciousHeader" end
  if length then return "Acceptable", "GetHeadZeroContentLength" end
  if mode == "strictest" then return odd_header(headers) end
end

-- AWS is silent: servers get Host in lower case, functions do not; one page of AWS says it of all targets.
local function lower_host(headers)
  local host = headers:get(":authority")
  local lower = host:lower()
  if lower ~= host then headers:replace(":authority", lower) end
end

-- Whether targets with the route's protocol version cannot have this request.
local function mismatch(handle, headers, to, method)
  if to.protocol ~= "https" then return to.version ~= "HTTP1" end -- all clients speak HTTP/1.1
  local is_http2 = handle:streamInfo():protocol() == "HTTP/2"
  if to.version == "HTTP1" then
    local kind = is_http2 and headers:get("content-type")
    return kind and find(kind, "^application/grpc$") or kind and find(kind, "^application/grpc[+;]")
  end
  return not is_http2 or (to.version == "GRPC" and method ~= "POST")
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local method, target, host = headers:get(":method"), headers:get(":path"), headers:get(":authority")
  local trace, referer = headers:get("x-amzn-trace-id"), headers:get("x-albatross-referer")
  if referer and not headers:get("referer") then headers:replace("referer", referer) end -- Envoy drops it where it is no URL
  if method == "TRACE" then return answer(handle, "405", "MethodNotAllowed", "method: TRACE is not forwarded") end
  if method == "CONNECT" then return answer(handle, "400", "MalformedRequest", "method: CONNECT is for proxies") end -- AWS is silent: CONNECT is refused with 400.
  if #target > TARGET_BYTES_MAX then
    return answer(handle, "414", "TargetTooLong", format("target: expected at most %d bytes, found %d", TARGET_BYTES_MAX, #target))
  end
  if find(target, "[\128-\255]") then return answer(handle, "400", "MalformedRequest", "target: expected ASCII") end -- of HTTP/2
  local line_size = #method + #target + #"  HTTP/1.1"
  if line_size > TARGET_BYTES_MAX then
    return answer(handle, "400", "TargetTooLong", format("request line: expected at most %d bytes, found %d", TARGET_BYTES_MAX, line_size))
  end
  local chosen, size, coding, imitation = match(headers:get("x-albatross-size") or "", "^(=?)(%d+) (%S*) (.*)$")
  if (tonumber(size) or MEASURED_BYTES_MIN) >= MEASURED_BYTES_MIN then
    local total, too_long = measured(headers, host)
    if too_long or total > HEADERS_BYTES_MAX then
      local limit = too_long and format("at most %d bytes in each line, found more", LINE_BYTES_MAX)
      return answer(handle, "400", "HeadersTooLarge", "headers: expected " .. (limit or format("at most %d bytes, found %d", HEADERS_BYTES_MAX, total)))
    end
    if total > TRACED_HEADERS_BYTES_MAX then trace = nil end
  end
  local forwarded = headers:get("x-forwarded-for")
  if forwarded and #forwarded > 2 * FORWARDED_ADDRESSES_MAX then
    local _, commas = gsub(forwarded, ",", ",")
    if commas >= FORWARDED_ADDRESSES_MAX then
      local found = format("headers[X-Forwarded-For]: expected at most %d addresses, found %d", FORWARDED_ADDRESSES_MAX, commas + 1)
      return answer(handle, "463", "TooManyForwardedAddresses", found)
    end
  end

  -- Rules see the first Host line and the normalised path, targets the path as it came.
  -- differs from AWS: of several Host lines functions get the first, and of an absolute request target (`http://b/`)
  -- the host instead of Host, also with `routing.http.preserve_host_header.enabled`.
  local first = find(host, ",", 1, true)
  if first then
    host = sub(host, 1, first - 1)
    headers:replace(":authority", host)
  end
  local matched = target
  if find(target, "%", 1, true) or find(target, "/.", 1, true) then matched = normalised(target) end
  local to = choose(handle, headers, host, target, matched, not first and matched == target, chosen == "=")

  local class, reason = classified(handle, headers, method, coding or "", imitation or "", to.desync)
  if class then
    note(handle, "classification", class .. " " .. reason)
    if to.desync == "strictest" then
      return answer(handle, "400", "AmbiguousRequest", reason .. ": refused by routing.http.desync_mitigation_mode strictest")
    end
    -- differs from AWS: after an ambiguous request the client's connection is closed, the target's is kept: what it
    -- gets is written anew, with one length.
    if class == "Ambiguous" and to.desync ~= "monitor" then handle:streamInfo():drainConnectionUponCompletion() end
  end

  if to.action ~= "forward" then
    local length = tonumber(headers:get("content-length") or "")
    headers:remove("content-length") -- the limit on bodies is the functions', and this one goes nowhere
    -- Envoy closes a connection on which it answers before it has the whole request. Afterwards `headers` is gone.
    if length and length > 0 and length <= SMALL_BODY_BYTES_MAX then handle:body() end
    if to.action == "redirect" then redirect(handle, to, host, target) end
    return
  end
  if to.version and mismatch(handle, headers, to, method) then
    local found = format("the target group's protocol version is %s, the request is %s %s", to.version, handle:streamInfo():protocol(), method)
    return answer(handle, "464", "IncompatibleProtocol", found)
  end
  local is_server = to.kind == "server"
  if not is_server and headers:get("upgrade") then -- a WebSocket: Lambda targets have none
    note(handle, "error", "LambdaWebsocketNotSupported")
    return answer(handle, "400", "LambdaWebsocketNotSupported", "headers[Upgrade]: functions cannot speak WebSocket")
  end
  if not is_server and (tonumber(headers:get("content-length") or 0) or 0) > LAMBDA_BODY_BYTES_MAX then
    note(handle, "error", "LambdaRequestTooLarge") -- bodies without a length are another filter's matter
    local found = format("body: expected at most %d bytes, found %s", LAMBDA_BODY_BYTES_MAX, headers:get("content-length"))
    return answer(handle, "413", "LambdaRequestTooLarge", found)
  end

  headers:replace("x-amzn-trace-id", traced(trace))
  forward_for(handle, headers, to.xff, to.xff_port == "true", forwarded)
  -- AWS is silent: functions get Host in the letter case that the client used, as live events show;
  -- one page of AWS says that names are lowered.
  if to.host == "strip" then
    local bare = without_port(host)
    if bare ~= host then headers:replace(":authority", bare) end
  elseif to.host == "append" and host ~= "" and not has_port(host) then -- AWS is silent: an empty Host stays empty.
    headers:replace(":authority", without_port(host) .. ":" .. to.port)
  end
  if to.drop_invalid == "true" then drop_invalid(headers) end
  if to.mtls_chain or to.mtls_leaf then add_client_certificate(handle, headers, to) end
  if to.rewrites_host then headers:replace("x-albatross-host", without_port(host)) end
  if to.rewrites_url then headers:replace("x-albatross-url", matched) end
  if not is_server then return carry_method(headers, method) end
  if to.host ~= "preserve" then lower_host(headers) end
end
