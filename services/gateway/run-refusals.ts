/** After a refusal others are expected for so long. */
const expectMs = 10_000;

/** Whether runs were refused lately (a quota is used up, the system is full): then none is enqueued before it is stored. */
export function createRefusals() {
  let last = Number.NEGATIVE_INFINITY;
  return {
    note: () => {
      last = performance.now();
    },
    expected: () => performance.now() - last < expectMs,
  };
}
