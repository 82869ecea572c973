import { driverSuite } from './driver.suite.ts';

driverSuite('oci with crun', new URL('./drivers/oci/open.ts', import.meta.url));
driverSuite('oci with runc', new URL('./drivers/oci/open-runc.ts', import.meta.url));
