/** For so long after a refusal more of them are expected. */
const expectMs = 10_000;

/** Whether runs were refused lately (a quota is used up, the system is full): then a run's job is added only after the run was stored. */
export function createRefusals() {
  let last = Number.NEGATIVE_INFINITY;
  return {
    note: () => {
      last = performance.now();
    },
    expected: () => performance.now() - last < expectMs,
  };
}
