import type { ResolvedActivation } from '../config/activation.ts';
import { placeOf } from '../config/destinations/destinations.ts';
import type { ActivationConfiguration } from './operations.ts';
import type { Scheduler } from './parts.ts';
import { scheduleText, scheduleWords } from './schedule/schedule-words.ts';

const UPCOMING = 5;

/**
 * What an activation is made of, for people who look: without secrets, and without values
 * of references in its query.
 */
export function activationConfiguration(
  activation: ResolvedActivation,
  scheduler: Scheduler | undefined,
): ActivationConfiguration {
  const { name, source, model, where, destination, fileName, schedule, queryValues } = activation;
  const clean = (sql: string): string => queryValues?.clean(sql) ?? sql;
  const { table } = model;
  const { proxies, queryValues: _, model: ofModel, where: ofSegment, ...settings } = activation;
  return {
    activation: name,
    source: source.name,
    ...(model.sql !== '' && { sql: clean(model.sql) }),
    ...(table && {
      table: { ...table, ...(table.where !== undefined && { where: clean(table.where) }) },
    }),
    ...(where !== undefined && { where: clean(where) }),
    primaryKey: model.primaryKey,
    url: `${placeOf(destination)}/${destination.folder}`,
    fileName,
    schedule: schedule.map(entry => ({ entry: scheduleText(entry), words: scheduleWords(entry) })),
    upcoming: (scheduler?.upcoming(name, UPCOMING) ?? []).map(at => at.toISOString()),
    leftOut: scheduler?.leftOut(name) ?? [],
    settings: { ...settings, destination: { ...destination, proxies: undefined } },
  };
}
