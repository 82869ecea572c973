-- A worker takes a run whose job it has. Stands behind claim-run.lua.
return claimRun(KEYS, ARGV)
