"""The tables. Every one carries its tenant, and no query leaves it out.

Times are text, UTC in ISO 8601, which sorts as it should and goes out as it is.
"""

from sqlalchemy import Float, ForeignKeyConstraint, Index, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of the store."""


class SpeakerRow(Base):
    """A person who agreed to be enrolled."""

    __tablename__ = "speakers"

    tenant: Mapped[str] = mapped_column(String(100), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    consent_by: Mapped[str] = mapped_column(String(200))
    consent_at: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[str] = mapped_column(String(40))


class EnrollmentRow(Base):
    """One recording of a speaker, as one bundle hears it. ``voiceprint``: float32, little-endian."""

    __tablename__ = "enrollments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "speaker_id"],
            ["speakers.tenant", "speakers.id"],
            ondelete="CASCADE",
            name="fk_speaker",
        ),
        Index("ix_enrollments_voice", "tenant", "bundle_digest", "speaker_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(100))
    speaker_id: Mapped[str] = mapped_column(String(64))
    bundle_digest: Mapped[str] = mapped_column(String(100))
    voiceprint: Mapped[bytes] = mapped_column(LargeBinary)
    speech: Mapped[float] = mapped_column(Float)
    level_db: Mapped[float] = mapped_column(Float)
    snr_db: Mapped[float | None] = mapped_column(Float)
    clipped: Mapped[float] = mapped_column(Float)
    bandwidth_hz: Mapped[int]
    created_at: Mapped[str] = mapped_column(String(40))
