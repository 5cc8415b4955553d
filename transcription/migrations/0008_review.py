"""Reviews: the state of a text, its revisions, and who has it open."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transcription', '0007_search'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Presence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session', models.UUIDField()),
                ('seen_at', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='Revision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('edit', 'Edit'), ('split', 'Split'), ('merge', 'Merge'), ('times', 'Times'), ('replace', 'Replace'), ('restore', 'Restore')], max_length=10)),
                ('author_name', models.CharField(max_length=150)),
                ('session', models.UUIDField(default=None, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('changes', models.JSONField(default=list)),
                ('changed', models.PositiveIntegerField(default=0)),
                ('gone', models.JSONField(default=list)),
                ('reordered', models.BooleanField(default=False)),
                ('machine_text', models.TextField(blank=True, default='')),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.AddField(
            model_name='segment',
            name='revision',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='transcription',
            name='review_state',
            field=models.CharField(choices=[('unreviewed', 'Unreviewed'), ('in_review', 'In Review'), ('approved', 'Approved')], db_default='unreviewed', default='unreviewed', editable=False, max_length=10),
        ),
        migrations.AddField(
            model_name='transcription',
            name='reviewed_at',
            field=models.DateTimeField(default=None, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='transcription',
            name='reviewed_by',
            field=models.ForeignKey(default=None, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='transcription',
            name='revision',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddIndex(
            model_name='transcription',
            index=models.Index(fields=['review_state', '-created_at', '-id'], name='transcription_by_review'),
        ),
        migrations.AddIndex(
            model_name='transcription',
            index=models.Index(fields=['owner', 'review_state', '-created_at', '-id'], name='transcription_owner_review'),
        ),
        migrations.AddField(
            model_name='presence',
            name='transcription',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='transcription.transcription'),
        ),
        migrations.AddField(
            model_name='presence',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='revision',
            name='author',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='revision',
            name='transcription',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='transcription.transcription'),
        ),
        migrations.AddConstraint(
            model_name='presence',
            constraint=models.UniqueConstraint(fields=('transcription', 'user', 'session'), name='presence_once'),
        ),
        migrations.AddConstraint(
            model_name='revision',
            constraint=models.UniqueConstraint(fields=('transcription', 'number'), name='revision_number_once'),
        ),
    ]
