import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Statistic } from './statistic.entity.js';
import { StatisticStore } from './statistic.store.js';
import { StatisticsController } from './statistics.controller.js';
import { StatisticsRecorder } from './statistics.recorder.js';

/** Hourly counts of what features report, in the database. */
@Module({
  imports: [TypeOrmModule.forFeature([Statistic])],
  controllers: [StatisticsController],
  exports: [StatisticStore],
  providers: [StatisticStore, StatisticsRecorder],
})
export class StatisticsModule {}
