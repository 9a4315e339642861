-- Judges requests under limits, each by a leaky bucket for each of its quotas, and counts them if all may pass.
-- KEYS: one for each limit. ARGV, for each: cost, number of quotas, and for each quota its number, its period in
-- microseconds and its burst. The answer: 1 or 0, and for each quota whether it refuses (1 or 0), how many more may
-- pass, and a time in microseconds: until the request may pass (-1 for never), or until the bucket is empty.
-- A key holds the time of its last change and how full each bucket was then. The time is the server's, so that the
-- clocks of those who ask don't matter.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, changes, at = {1}, {}, 1
for each, key in ipairs(KEYS) do
  local cost, quotas = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  at = at + 2
  local kept = {}
  for number in string.gmatch(redis.call('GET', key) or '', '%S+') do
    kept[#kept + 1] = tonumber(number)
  end
  -- A clock that was set back has stood still.
  local passed = math.max(0, now - (kept[1] or now))
  local state, empty = {string.format('%.0f', now)}, 0
  for quota = 1, quotas do
    local rate, burst = ARGV[at] / ARGV[at + 1], tonumber(ARGV[at + 2])
    at = at + 3
    local before = math.max(0, (kept[quota + 1] or 0) - passed * rate)
    local after = before + cost
    -- Numbers of this kind are not exact: what is too much by a millionth is not too much.
    local refused = after > burst + 0.000001
    answer[#answer + 1] = refused and 1 or 0
    answer[#answer + 1] = before
    answer[#answer + 1] = rate
    answer[#answer + 1] = burst
    answer[#answer + 1] = cost
    if refused then answer[1] = 0 end
    state[#state + 1] = string.format('%.17g', after)
    empty = math.max(empty, after / rate)
  end
  changes[each] = {table.concat(state, ' '), math.ceil(empty / 1000)}
end
local passes = answer[1] == 1
local told = {answer[1]}
for place = 2, #answer, 5 do
  local refused, level, rate = answer[place], answer[place + 1], answer[place + 2]
  local burst, cost = answer[place + 3], answer[place + 4]
  if passes then level = level + cost end
  told[#told + 1] = refused
  if refused == 0 then
    told[#told + 1] = math.floor(burst - level + 0.000001)
    told[#told + 1] = math.ceil(level / rate)
  else
    told[#told + 1] = 0
    told[#told + 1] = cost > burst and -1 or math.ceil((level + cost - burst) / rate)
  end
end
if passes then
  for each, key in ipairs(KEYS) do
    if changes[each][2] > 0 then
      redis.call('SET', key, changes[each][1], 'PX', changes[each][2])
    end
  end
end
return told
