/** What is wrong with a submission, by its fields, in Judge0's words. */
export class Faults {
  readonly byField: Record<string, string[]> = {};

  add(field: string, message: string): void {
    this.byField[field] = [...(this.byField[field] ?? []), message];
  }

  get some(): boolean {
    return Object.keys(this.byField).length > 0;
  }
}
