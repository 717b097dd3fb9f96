import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../auth/audit.interceptor.js';
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
      'Runs when it is asked for, each check 5 s at the most, and leaves nothing behind. WeChat is asked ' +
      'for the time, without a token, and the hub itself through PUBLIC_URL. Not for regular ' +
      'polls: those are for /health/ready.',
  })
  @ApiJson(doctorView, doctorExample)
  get(): Promise<DoctorView> {
    return this.doctor.examine('out');
  }

  @Post()
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('doctor.ask')
  @ApiOperation({
    summary: 'The same, and call WeChat with the credentials of each platform, and push',
    description:
      'Asks WeChat to push tickets (api_start_push_ticket), which is possible once a minute for ' +
      'each platform, calls get_api_domain_ip with its token, and pushes its newest ticket again ' +
      'through PUBLIC_URL.',
  })
  @ApiJson(doctorView, doctorExample)
  ask(): Promise<DoctorView> {
    return this.doctor.examine('asked');
  }
}
