/** The address guard of one target: says why an address may not be dialled, or undefined. */
export type Vet = (address: string, port: number) => string | undefined | Promise<string | undefined>
