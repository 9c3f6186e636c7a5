"""Speakers and their enrolments."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "speakers",
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("consent_by", sa.String(200), nullable=False),
        sa.Column("consent_at", sa.String(40), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "enrollments",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("speaker_id", sa.String(64), nullable=False),
        sa.Column("bundle_digest", sa.String(100), nullable=False),
        sa.Column("voiceprint", sa.LargeBinary(), nullable=False),
        sa.Column("speech", sa.Float(), nullable=False),
        sa.Column("level_db", sa.Float(), nullable=False),
        sa.Column("snr_db", sa.Float(), nullable=True),
        sa.Column("clipped", sa.Float(), nullable=False),
        sa.Column("bandwidth_hz", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(
            ["tenant", "speaker_id"],
            ["speakers.tenant", "speakers.id"],
            ondelete="CASCADE",
            name="fk_speaker",
        ),
    )
    op.create_index("ix_enrollments_voice", "enrollments", ["tenant", "bundle_digest", "speaker_id"])
