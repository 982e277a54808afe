/** The file descriptor of a worker process over which it asks what all of them share; 3 is the channel of its orders. */
export const storeDescriptor = 4
