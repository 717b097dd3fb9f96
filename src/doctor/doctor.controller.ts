import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Scope } from '../auth/scope.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { DoctorService } from './doctor.service.js';
import { doctorExample, doctorView, type DoctorView } from './doctor.views.js';

/** `/admin/doctor`: everything that can be checked, with what was seen and what to do. */
@ApiTags('instance')
@ApiBearer()
@Controller('admin/doctor')
export class DoctorController {
  constructor(private readonly doctor: DoctorService) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Check settings, database, clock, keys, platforms, accounts and subscriptions',
    description:
      'Runs when it is asked for, 10 s at the most, and leaves nothing behind. WeChat is asked ' +
      'for the time, without a token. Not for regular polls: those are for /health/ready.',
  })
  @ApiJson(doctorView, doctorExample)
  get(): Promise<DoctorView> {
    return this.doctor.examine();
  }
}
