/** @file Nothing to configure: the components' TypeScript is stripped by Svelte itself. */
export default {};
