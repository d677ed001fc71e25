local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

local function message(type)
  return conditions[type] ~= nil and conditions[type].message or ""
end

-- The operator has not seen the resource in its present form.
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator." }
end
if is("Ready") then
  local download = message("DownloadAvailable")
  return { status = "Healthy", message = message("Ready") .. (download == "" and "" or " " .. download) }
end
if is("Stalled") then
  return { status = "Degraded", message = message("Stalled") }
end
if obj.spec.suspend then
  return { status = "Suspended", message = message("Synced") }
end
return { status = "Progressing", message = message("Reconciling") }
