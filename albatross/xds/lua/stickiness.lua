-- Sticky sessions: which target a client's cookie stands for, and the cookie to send it.
--
-- A cookie's value is a target's token and the time at which it was set, hidden by the target's mask
-- (albatross/xds/target_group.py). A token is of use only for a target that is registered with the group
-- and may get requests: for all others the balancer chooses.
-- Source: ALB user guide, "Edit target group attributes" (sticky sessions).

local find, format, gmatch, gsub, match, sub = string.find, string.format, string.gmatch, string.gsub, string.match, string.sub
local xor = bit.bxor

-- differs from AWS: beside an application's cookie there is one of ours, AWSALBAPP-0; there is no -1 to -3.
local COOKIE_DAYS = 7
local TIME_DIGITS = 8
local CHROMIUM_MIN = 80 -- from here on SameSite=None is known
local CONFIGURATIONS_MAX = 1000

local configurations, configurations_count = {}, 0

-- The route's settings as a table.
local function configuration(handle)
  local context = handle:filterContext()
  local id = context:get("id")
  local known = configurations[id]
  if known then return known end
  if configurations_count >= CONFIGURATIONS_MAX then configurations, configurations_count = {}, 0 end
  known = {
    by_application = context:get("kind") == "app_cookie", cookie = context:get("cookie"),
    duration = tonumber(context:get("duration")), by_token = {}, by_address = {},
  }
  for token, mask, address in gmatch(context:get("targets"), "(%x+) (%x+) (%S+)") do
    local target = { token = token, mask = tonumber(mask, 16), address = address }
    known.by_token[token], known.by_address[address] = target, target
  end
  configurations[id] = known
  configurations_count = configurations_count + 1
  return known
end

local function cookie(headers, name)
  local text = headers:get("cookie")
  return text and match("; " .. text, "[;,]%s*" .. gsub(name, "%p", "%%%0") .. "=([^;,%s]*)")
end

-- The target that the cookie `value` stands for, if it is not too old.
local function target_of(to, value)
  local target = to.by_token[sub(value, 1, -TIME_DIGITS - 1)]
  local hidden = target and tonumber(sub(value, -TIME_DIGITS), 16)
  if not hidden then return nil end
  local age = os.time() - xor(hidden, target.mask) % 4294967296
  if age >= 0 and age < to.duration then return target end
end

function envoy_on_request(handle)
  local to, headers = configuration(handle), handle:headers()
  local value
  if to.by_application then
    value = cookie(headers, to.cookie) and cookie(headers, "AWSALBAPP-0")
  else
    value = cookie(headers, "AWSALBCORS") or cookie(headers, "AWSALB")
  end
  local target = value and target_of(to, value)
  if target then handle:setUpstreamOverrideHost(target.address, false) end
  if to.by_application then
    local noted = handle:streamInfo():dynamicMetadata()
    local chromium = match(headers:get("user-agent") or "", "Chrom[eium]+/(%d+)")
    if target then noted:set("albatross", "sticky", "yes") end
    if chromium and tonumber(chromium) >= CHROMIUM_MIN then noted:set("albatross", "chromium", "yes") end
  end
end

local function sets_cookie(headers, name)
  for position = 0, headers:getNumValues("set-cookie") - 1 do
    if match(headers:getAtIndex("set-cookie", position), "^%s*([^=%s]*)%s*=") == name then return true end
  end
  return false
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local address = headers:get("x-albatross-target")
  if not address then return end
  headers:remove("x-albatross-target")
  local to = configuration(handle)
  local target = to.by_address[address]
  if not target then return end
  local hidden = xor(os.time(), target.mask) % 4294967296
  local expires = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + COOKIE_DAYS * 86400)
  local rest = "=" .. target.token .. format("%08x", hidden) .. "; Expires=" .. expires .. "; Path=/"
  if not to.by_application then
    headers:add("set-cookie", "AWSALB" .. rest)
    headers:add("set-cookie", "AWSALBCORS" .. rest .. "; SameSite=None; Secure")
    return
  end
  local noted = handle:streamInfo():dynamicMetadata():get("albatross") or {}
  if noted.sticky or sets_cookie(headers, to.cookie) then
    headers:add("set-cookie", "AWSALBAPP-0" .. rest .. (noted.chromium and "; SameSite=None; Secure" or ""))
  end
end
