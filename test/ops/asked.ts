// TEST_DEVICES leaves devices out: under a sanitizer the orders of one emulated GPU are not worth three times the minutes.
const asked = process.env.TEST_DEVICES?.split(',')

/** Whether a device takes part. */
export const isAsked = ({ device }: { readonly device: string }): boolean => asked?.includes(device) ?? true
