/** Types of parameters, by the names that the configuration has for them. */
export const PARAMETER_OIDS = {
  text: 25,
  int: 20,
  number: 1700,
  boolean: 16,
  date: 1082,
  timestamp: 1184,
} as const;

/** Values by name; each as text, `null` for NULL. */
export type ModelParameters = Readonly<
  Record<string, { readonly type: keyof typeof PARAMETER_OIDS; readonly value: string | null }>
>;
