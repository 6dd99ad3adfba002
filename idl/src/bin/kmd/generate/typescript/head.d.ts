/** Called when an operation is done; `error` is null unless it failed. */
export type $Callback<T> = (error: globalThis.Error | null, value: T) => void;
/** An object of the server, or its id. Objects of other packages for kurento-client do as well. */
export type $Reference<T> = T | { readonly id: string } | string;
/** The class as kurento-client knows it, for `register` and `instanceof`. */
export interface $MediaClass<T> {
  readonly prototype: T;
  readonly constructorParams: { readonly [name: string]: object };
  readonly events: readonly string[];
}
/** Makes a structure of an object with its fields; `new` may be left out. */
export interface $Register<T> {
  new (values: T): T;
  (values: T): T;
}
/** Whether something is one of an enumeration's values; throws if it is not. */
export interface $Enumeration<T extends string> {
  (key: string, value: T): void;
  readonly values: readonly T[];
}
