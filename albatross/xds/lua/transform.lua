-- Puts back the client's path where the first script has left another one, by which the route for a target
-- group was to be found. Then applies the rule's transforms, with what a filter before this one has found
-- (albatross/xds/transforms.py). Our headers are taken away later.
-- Sources: ALB user guide, "Transforms for listener rules", "Access logs".

local function note(handle, key, value)
  handle:streamInfo():dynamicMetadata():set("albatross", key, value)
end

-- What becomes of the header `name`, which has what is to be rewritten. Without one, or without a match: nil.
-- Else the outcome and the place of what is wrong with it, if anything is.
local function rewritten(headers, found, name)
  local subject = headers:get(name)
  if not subject or subject == "" then return nil end -- there is no host
  local before, after, instead = found[name .. "-before"], found[name .. "-after"], found[name .. "-instead"]
  -- AWS is silent: where a transform has 8 KB or more to look at, or makes so much of it, the answer is 500.
  if not before or not after or not instead then return "", "TransformBufferTooSmall" end
  if before == subject then return nil end -- Envoy leaves what does not match, and what does begins with `=`
  before, after = string.sub(before, 2), string.sub(after, 2)
  local whole = string.sub(subject, #before + 1, #subject - #after)
  if string.find(instead, "#", 1, true) then return "", "TransformReplaceError" end
  return before .. string.gsub(string.sub(instead, 2), " ", function() return whole end) .. after
end

local function fail(handle, status)
  note(handle, "transform-status", status)
  note(handle, "refusal", "TransformFailed")
  note(handle, "refusal-detail", status .. ": what the rule's transforms make cannot be sent")
  handle:respond({ [":status"] = "500" }, "") -- the page comes from albatross/xds/local_reply.py
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get("x-albatross-path")
  if path then headers:replace(":path", path) end
  local found = handle:streamInfo():dynamicMetadata():get("albatross-transform") or {}
  local host, host_failed = rewritten(headers, found, "x-albatross-host")
  local url, url_failed = rewritten(headers, found, "x-albatross-url")
  if host_failed or url_failed then return fail(handle, host_failed or url_failed) end
  if host and not string.find(host, "^[%w%.%-_:%[%]]+$") then return fail(handle, "TransformInvalidHost") end
  if url and not string.find(url, "^/[!\"$-~]*$") then return fail(handle, "TransformInvalidPath") end
  if host or url then note(handle, "transform-status", "TransformSuccess") end
  if host then
    note(handle, "original-host", headers:get("x-albatross-host"))
    headers:replace(":authority", host)
  end
  if url then
    note(handle, "original-path", headers:get(":path"))
    headers:replace(":path", url)
  end
end
