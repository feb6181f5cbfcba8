/** @file Stored records as a schema knows them. */
import * as v from 'valibot';

/** Without records of other versions that this one can't read. */
export const newestFirst = <T extends { created: number }>(
  schema: v.GenericSchema<unknown, T>,
  stored: readonly unknown[],
): T[] =>
  stored
    .map((each) => v.safeParse(schema, each))
    .flatMap((parsed) => (parsed.success ? [parsed.output] : []))
    .sort((a, b) => b.created - a.created);
