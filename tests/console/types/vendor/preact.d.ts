// What the pages use of Preact and htm; the library itself is one minified file.

export interface Context<T> {
  Provider: unknown;
}
export type Setter<T> = (value: T | ((old: T) => T)) => void;
export function html(strings: TemplateStringsArray, ...values: unknown[]): object;
export function render(tree: object, parent: Element | null): void;
export function createContext<T>(initial: T): Context<T>;
export function useContext<T>(context: Context<T>): T;
// What begins with nothing may become anything.
export function useState(initial: null): [any, Setter<any>];
export function useState(initial: never[]): [any[], Setter<any[]>];
export function useState<T>(initial: T | (() => T)): [T, Setter<T>];
export function useEffect(effect: () => void | undefined | (() => void), inputs?: unknown[]): void;
export function useMemo<T>(make: () => T, inputs: unknown[]): T;
export function useCallback<T>(call: T, inputs: unknown[]): T;
export function useRef(initial: null): { current: any };
export function useRef<T>(initial: T): { current: T };
export function useErrorBoundary(caught?: (error: Error) => void): [Error | undefined, () => void];
