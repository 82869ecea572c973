/** The engine's OCI runtime for isolation "gvisor". */
export const gvisorRuntime = 'runsc';
