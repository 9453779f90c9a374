//! The calls of a queue, its event source mapping and the worker without any of these around them: receives, counts and deletes
//! as many messages as a line on the standard input says, and answers with the nanoseconds that took.

use std::{
    error::Error,
    io::{Write, stdin, stdout},
    time::Instant,
};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use function_kit::{aws, environment::variable};

/// SQS gives and takes no more at a time.
const MESSAGES_PER_CALL: i32 = 10;

pub(crate) async fn receive_transact_delete() -> Result<(), Box<dyn Error>> {
    let config = aws::config()?;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let sqs = aws_sdk_sqs::Client::new(&config);
    let (table, queue) = (variable("DONE_TABLE_NAME")?, variable("QUEUE_URL")?);
    for line in stdin().lines() {
        let line = line?;
        let messages: usize = line.split(' ').next().unwrap_or_default().parse()?;
        let since = Instant::now();
        let mut done = 0;
        while done < messages {
            let received = sqs
                .receive_message()
                .queue_url(&queue)
                .max_number_of_messages(MESSAGES_PER_CALL)
                .send()
                .await?
                .messages
                .unwrap_or_default();
            if received.is_empty() {
                continue;
            }
            dynamodb
                .transact_write_items()
                .set_transact_items(Some(count(&received, &table)?))
                .send()
                .await?;
            sqs.delete_message_batch()
                .queue_url(&queue)
                .set_entries(Some(delete(&received)?))
                .send()
                .await?;
            done += received.len();
        }
        writeln!(stdout(), "{}", since.elapsed().as_nanos())?;
    }
    Ok(())
}

fn count(messages: &[Message], table: &str) -> Result<Vec<TransactWriteItem>, Box<dyn Error>> {
    let mut actions = Vec::new();
    for message in messages {
        let id = message.message_id().unwrap_or_default();
        let put = Put::builder()
            .table_name(table)
            .item("id", AttributeValue::S(format!("message/{id}")))
            .condition_expression("attribute_not_exists(id)")
            .build()?;
        actions.push(TransactWriteItem::builder().put(put).build());
    }
    let update = Update::builder()
        .table_name(table)
        .key("id", AttributeValue::S("done".into()))
        .update_expression("ADD done :messages")
        .expression_attribute_values(":messages", AttributeValue::N(messages.len().to_string()))
        .build()?;
    actions.push(TransactWriteItem::builder().update(update).build());
    Ok(actions)
}

fn delete(
    messages: &[Message],
) -> Result<Vec<DeleteMessageBatchRequestEntry>, aws_sdk_sqs::error::BuildError> {
    messages
        .iter()
        .enumerate()
        .map(|(index, message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .set_receipt_handle(message.receipt_handle.clone())
                .build()
        })
        .collect()
}
