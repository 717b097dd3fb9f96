/**
 * Floor of a start: Nest, Fastify and TypeORM with one controller, one table and one migration, on
 * the libraries and the kind of database that the hub has.
 */
// By their paths: in this folder their names are those of a peer, which wants older ones.
import '../../node_modules/reflect-metadata/Reflect.js';
import { Controller, Get, Inject, Module } from '../../node_modules/@nestjs/common/index.js';
import { NestFactory } from '../../node_modules/@nestjs/core/index.js';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm';
import Libsql from 'libsql';
import { Column, Entity, PrimaryColumn } from 'typeorm';

class Note {
  id;
  text;
}
// Decorators, applied by hand because this is plain JavaScript.
PrimaryColumn({ type: 'integer' })(Note.prototype, 'id');
Column({ type: 'text' })(Note.prototype, 'text');
Entity('note')(Note);

class CreateNotes1763798400000 {
  up(runner) {
    return runner.query('CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
  }

  down(runner) {
    return runner.query('DROP TABLE note');
  }
}

class NotesController {
  constructor(notes) {
    this.notes = notes;
  }

  async count() {
    return { notes: await this.notes.count() };
  }
}

const descriptor = Object.getOwnPropertyDescriptor(NotesController.prototype, 'count');
Get()(NotesController.prototype, 'count', descriptor);
Controller('health/ready')(NotesController);
Inject(getRepositoryToken(Note))(NotesController, undefined, 0);

// oxlint-disable-next-line typescript/no-extraneous-class -- what a Nest module is
class AppModule {}
Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'better-sqlite3',
      driver: Libsql,
      database: process.env.DATABASE_URL.replace('sqlite:', ''),
      autoLoadEntities: true,
      migrations: [CreateNotes1763798400000],
      migrationsRun: true,
    }),
    TypeOrmModule.forFeature([Note]),
  ],
  controllers: [NotesController],
})(AppModule);

const app = await NestFactory.create(AppModule, new FastifyAdapter(), {
  logger: ['error', 'warn'],
});
await app.listen(Number(process.env.PORT), '127.0.0.1');
