-- A job is done though no end of its run was written with it: the run is gone, or had ended. Stands behind end-job.lua.
-- KEYS job, lock, active, stalled
-- ARGV token, id
return endJob(KEYS, ARGV[1], ARGV[2])
