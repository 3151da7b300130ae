-- Puts back the client's path where the first script has left another one, by which the route for a target
-- group was to be found. Then applies the rule's transforms: their outcomes have been put into headers by a
-- filter before this one (albatross/xds/transforms.py). The headers of ours are taken away later.
-- Sources: ALB user guide, "Transforms for listener rules", "Access logs".

local URL_BYTES_MAX = 16384

local function note(handle, key, value)
  handle:streamInfo():dynamicMetadata():set("albatross", key, value)
end

-- What becomes of `subject` with `outcome`: nil where nothing matched, false where that failed.
local function rewritten(subject, outcome)
  if outcome == "!" then return nil end
  local before, match, replacement = string.match(outcome or "", "^=(%S*) (%S*) (.*)$")
  if not subject or not before then return false end
  return before .. replacement .. string.sub(subject, #before + #match + 1)
end

local function fail(handle, status)
  note(handle, "transform-status", status)
  handle:respond({ [":status"] = "500" }, "") -- the page comes from albatross/xds/local_reply.py
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get("x-albatross-path")
  if path then headers:replace(":path", path) end
  local host, url = headers:get("x-albatross-host"), headers:get("x-albatross-url")
  local new_host = host and rewritten(host, headers:get("x-albatross-new-host"))
  local new_url = url and rewritten(url, headers:get("x-albatross-new-url"))
  if new_host == false or new_url == false then return fail(handle, "TransformReplaceError") end
  if new_host and not string.find(new_host, "^[%w%.%-_:%[%]]+$") then return fail(handle, "TransformInvalidHost") end
  if new_url and #new_url > URL_BYTES_MAX then return fail(handle, "TransformBufferTooSmall") end
  if new_url and not string.find(new_url, "^/[!\"$-~]*$") then return fail(handle, "TransformInvalidPath") end
  if new_host or new_url then note(handle, "transform-status", "TransformSuccess") end
  if new_host then
    note(handle, "original-host", host)
    headers:replace(":authority", new_host)
  end
  if new_url then
    note(handle, "original-path", headers:get(":path"))
    headers:replace(":path", new_url)
  end
end
